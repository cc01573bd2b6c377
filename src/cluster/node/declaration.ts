import { type Declaration, type DeclaredApp, type DeclaredDeployment, deploymentKey } from '../documents.ts';

/** A deployment that code declares, with its app. */
export interface DeclaredPlace {
  readonly key: string;
  readonly app: DeclaredApp;
  readonly deployment: DeclaredDeployment;
}

/** The deployments of a declaration by key. */
export function placesOf(declaration: Declaration): ReadonlyMap<string, DeclaredPlace> {
  const places = new Map<string, DeclaredPlace>();
  for (const app of declaration.apps) {
    for (const deployment of app.deployments) {
      const key = deploymentKey(app.name, deployment.name);
      places.set(key, { key, app, deployment });
    }
  }
  return places;
}

/** Names a declaration within its version; of two declarations the one that was first seen last is in force. */
export function versionKey(codeVersion: string, hash: string): string {
  return `${codeVersion}/${hash}`;
}

/** Time at which each version of the code was first seen, by its oldest declaration. */
export function firstSeen(versions: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  for (const [key, at] of Object.entries(versions)) {
    const version = key.slice(0, key.lastIndexOf('/'));
    seen.set(version, Math.min(seen.get(version) ?? Infinity, at));
  }
  return seen;
}

/** The known declarations by hash, with their deployments. */
export class Declarations {
  readonly #known = new Map<
    string,
    { readonly declaration: Declaration; readonly places: ReadonlyMap<string, DeclaredPlace> }
  >();

  /** Number that changes with the known declarations. */
  revision = 0;

  add(hash: string, declaration: Declaration): void {
    if (this.#known.has(hash)) return;
    this.#known.set(hash, { declaration, places: placesOf(declaration) });
    this.revision++;
  }

  has(hash: string): boolean {
    return this.#known.has(hash);
  }

  places(hash: string): ReadonlyMap<string, DeclaredPlace> | undefined {
    return this.#known.get(hash)?.places;
  }

  /** Forgets declarations that no member has. */
  keepOnly(hashes: ReadonlySet<string>): void {
    for (const hash of this.#known.keys()) if (!hashes.has(hash)) this.#known.delete(hash);
  }
}
