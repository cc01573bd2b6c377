/** Flags with which the host's program came as text; a thread that inherits them refuses to load a file. */
const TEXT_PROGRAM = /^(?:-e|-p|-pe|--eval|--print|--input-type)(?:=|$)/;
/** Flags that say how modules are found and loaded: all that a thread can be given of the others. */
const LOADING =
  /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--enable-source-maps|--preserve-symlinks|--no-warnings)(?:=|$)/;
/** Those among them whose value may be the next argument. */
const WITH_VALUE = /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions)$/;

/**
 * The flags of a replica's thread. Undefined: it inherits those of the host, as it should wherever it can, since flags that are
 * given explicitly must not be of the whole process (`--max-old-space-size`, `--expose-gc`, `--title`).
 *
 * @param execArgv flags of the host
 */
export function threadFlags(execArgv: readonly string[]): string[] | undefined {
  if (!execArgv.some((flag) => TEXT_PROGRAM.test(flag))) return undefined;
  return execArgv.filter(
    (flag, at) => LOADING.test(flag) || (WITH_VALUE.test(execArgv[at - 1] ?? '') && !flag.startsWith('-')),
  );
}
