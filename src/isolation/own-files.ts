/** Folder of this package's files; undefined if the app has bundled them with its own. */
const OWN_FILES =
  /^(.*\/src\/)isolation\/own-files\.ts$/.exec(import.meta.url)?.[1] ??
  /^.*\/inserve\/dist\//.exec(import.meta.url)?.[0];

/** Whether a file, given by its URL, belongs to this package. */
export function isOwnFile(url: string): boolean {
  return OWN_FILES !== undefined && url.startsWith(OWN_FILES);
}
