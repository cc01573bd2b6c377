import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A package, as identified by its package.json. */
interface Package {
  /** Folder of the package.json. */
  readonly root: string;
  /** Empty if the package.json has no name. */
  readonly name: string;
}

/** Packages by the folders of their modules; a process keeps the folders it runs from. */
const packages = new Map<string, Package>();

/**
 * Identifies a module wherever its package is installed: name of the package and path within it. Two checkouts of one
 * release, or two folders that it is deployed to, have the same identity.
 *
 * @param url `file:` URL
 */
export function moduleIdentity(url: string): string {
  const path = pathOf(url);
  if (path === undefined) return url;
  const { root, name } = packageOf(dirname(path));
  return `${name}:${relative(root, path).split(sep).join('/')}`;
}

/** undefined for a URL that no file can have, so that it can never be imported. */
function pathOf(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

/**
 * The nearest package.json with a name: builds often put one without a name (`{ "type": "commonjs" }`) beside each kind of
 * output. Without any the module is identified within the working directory.
 */
function packageOf(folder: string): Package {
  const known = packages.get(folder);
  if (known !== undefined) return known;
  const found = findPackage(folder) ?? { root: process.cwd(), name: '' };
  packages.set(folder, found);
  return found;
}

function findPackage(folder: string): Package | undefined {
  let nameless: Package | undefined;
  for (let root = folder; ; root = dirname(root)) {
    const name = packageName(root);
    if (name !== undefined && name !== '') return { root, name };
    if (name === '') nameless ??= { root, name };
    if (dirname(root) === root) return nameless;
  }
}

/** Name in the package.json of a folder; empty if it has no name; undefined without a readable package.json. */
function packageName(folder: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return undefined;
  }
}
