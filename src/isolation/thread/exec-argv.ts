/** Flags that passed the host's program as text; a thread that inherits them refuses to load a file. */
const TEXT_PROGRAM = /^(?:-e|-p|-pe|--eval|--print|--input-type)(?:=|$)/;
/** Flags that control how modules are found and loaded: only these can be given to a thread explicitly. */
const LOADING =
  /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--enable-source-maps|--preserve-symlinks|--no-warnings)(?:=|$)/;
/** Loading flags whose value may be the next argument. */
const WITH_VALUE = /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions)$/;

/**
 * The flags of a replica's thread. Undefined lets it inherit those of the host, which is preferred, since explicitly given
 * flags must not be process-wide ones (`--max-old-space-size`, `--expose-gc`, `--title`).
 *
 * @param execArgv flags of the host
 */
export function threadFlags(execArgv: readonly string[]): string[] | undefined {
  if (!execArgv.some((flag) => TEXT_PROGRAM.test(flag))) return undefined;
  return execArgv.filter(
    (flag, at) => LOADING.test(flag) || (WITH_VALUE.test(execArgv[at - 1] ?? '') && !flag.startsWith('-')),
  );
}
