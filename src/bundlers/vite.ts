import { declaresDeployments, OWN_SPECIFIER, SOURCE_FILE } from './deployment-modules.ts';

/** The part of the plugin context of Vite, Rollup and Rolldown that is used. */
interface PluginContext {
  emitFile(file: { type: 'chunk'; id: string; preserveSignature: 'strict' }): string;
}

/** Options of the plugin for Vite. */
export interface InserveViteOptions {
  /**
   * Whether the plugin itself keeps `inserve` outside of the bundle. Nitro and Nuxt do that by themselves, and copy only the packages that
   * they found so. Default: `true`.
   */
  external?: boolean;
}

/** A plugin of Vite, Rollup and Rolldown. */
export interface InserveVitePlugin {
  readonly name: string;
  readonly apply: 'build';
  resolveId(source: string): { id: string; external: true } | null;
  transform(this: PluginContext, code: string, id: string): null;
}

/**
 * A plugin for Vite, and for what builds with Rollup or Rolldown (Nitro, Nuxt, SvelteKit): each module that declares deployments becomes a
 * file of its own in the output, which replicas import, and `inserve` stays outside of the bundle.
 *
 * @example
 * export default defineConfig({ plugins: [inserve()], build: { ssr: 'src/server.ts' } });
 */
export function inserve({ external = true }: InserveViteOptions = {}): InserveVitePlugin {
  return {
    name: 'inserve',
    apply: 'build',
    resolveId: (source) => (external && OWN_SPECIFIER.test(source) ? { id: source, external: true } : null),
    transform(code, id) {
      const isSource = SOURCE_FILE.test(id) && !id.includes('/node_modules/');
      if (isSource && declaresDeployments(code)) {
        this.emitFile({ type: 'chunk', id, preserveSignature: 'strict' });
      }
      return null;
    },
  };
}
