import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A package, as far as its package.json says which one it is. */
interface Package {
  /** Folder of the package.json. */
  readonly root: string;
  /** Empty: the package.json has no name. */
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

/** undefined: no file can have this URL, so that it can never be imported. */
function pathOf(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

/**
 * The nearest package.json with a name: builds often have one without (`{ "type": "commonjs" }`) beside each kind of their
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

/** Name in the package.json of a folder; empty: it has none; undefined: there is no readable package.json. */
function packageName(folder: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return undefined;
  }
}
