/** Matches an import of this package. */
const IMPORTS_PACKAGE = /(?:\bfrom|\brequire\s*\(|\bimport)\s*['"]inserve['"]/;
/** Matches a call of `deployment()`, and its import under another name. */
const DECLARES = /\bdeployment\s*\(|\bdeployment\s+as\b/;

/** Matches the specifiers that stay outside of a bundle: the package and its entries. */
export const OWN_SPECIFIER = /^inserve(?:\/|$)/;
/** Matches the files that may hold deployments. */
export const SOURCE_FILE = /\.[cm]?[jt]sx?$/;

/** Whether a source, before or after the removal of its types, declares deployments. */
export function declaresDeployments(code: string): boolean {
  return IMPORTS_PACKAGE.test(code) && DECLARES.test(code);
}
