import { BoundDeployment } from '../../deployment/bound.ts';
import { looksMinified } from '../../deployment/deployment-name.ts';
import type { Logger } from '../../observe/logger.ts';

/** Warns, once for each name, of deployments whose names come from classes and functions that a tool has renamed. */
export class NameAdvice {
  readonly #log: Logger;
  readonly #known = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param deployments those of one app */
  check(app: string, deployments: Iterable<BoundDeployment<unknown>>): void {
    for (const bound of deployments) {
      const { isNameInferred, options } = BoundDeployment.partsOf(bound);
      const { name } = options;
      if (!isNameInferred || !looksMinified(name) || this.#known.has(name)) continue;
      this.#known.add(name);
      this.#log.warn(
        { app, deployment: name },
        `deployment '${name}' has the name of its class or function, which a bundler or minifier seems to have changed; ` +
          'another build may change it again, and with it metrics, routes and handles: give deployment() a `name`',
      );
    }
  }
}
