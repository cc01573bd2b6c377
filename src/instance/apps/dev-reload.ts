import { fileURLToPath } from 'node:url';
import type { Logger } from '../../observe/logger.ts';
import type { LoadedFilesObserver } from '../deployments/replicated/replica-reports.ts';
import { SourceWatch } from './source-watch.ts';

/** Reloads apps when files change that their replicas have loaded. For development. */
export class DevReload implements LoadedFilesObserver {
  readonly #reload: (app: string) => Promise<void>;
  readonly #log: Logger;
  readonly #files = new Map<string, Set<string>>();
  readonly #watch: SourceWatch;
  /** Apps that are being reloaded, and whether files have changed again since. */
  readonly #reloading = new Map<string, boolean>();

  constructor(reload: (app: string) => Promise<void>, log: Logger) {
    this.#reload = reload;
    this.#log = log;
    this.#watch = new SourceWatch(
      (files) => this.#changed(files),
      (err) => log.warn({ err }, 'files cannot be watched: changes do not reload their apps'),
    );
  }

  loaded(app: string, url: string): void {
    const file = fileURLToPath(url);
    let files = this.#files.get(app);
    if (files === undefined) {
      files = new Set();
      this.#files.set(app, files);
    }
    files.add(file);
    this.#watch.add(file);
  }

  forget(app: string): void {
    this.#files.delete(app);
  }

  close(): void {
    this.#files.clear();
    this.#watch.close();
  }

  #changed(changed: ReadonlySet<string>): void {
    for (const [app, files] of this.#files) {
      if ([...changed].every((file) => !files.has(file))) continue;
      if (this.#reloading.has(app)) this.#reloading.set(app, true);
      else void this.#reloadApp(app, changed);
    }
  }

  async #reloadApp(app: string, changed: ReadonlySet<string>): Promise<void> {
    this.#log.info({ app, files: [...changed] }, `${app}: files changed, reloading`);
    do {
      this.#reloading.set(app, false);
      try {
        await this.#reload(app);
        this.#log.info({ app }, `${app}: reloaded`);
      } catch (err) {
        this.#log.error({ app, err }, `${app}: reload failed; the previous code keeps serving`);
      }
    } while (this.#reloading.get(app) === true && this.#files.has(app));
    this.#reloading.delete(app);
  }
}
