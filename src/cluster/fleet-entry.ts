import { fileURLToPath } from 'node:url';

/** The file that the fleet thread starts with. */
export function fleetEntry(): string {
  const here = import.meta.url;
  if (here.endsWith('.ts')) return fileURLToPath(here.replace(/[^/]+$/, 'fleet-thread.ts'));
  // File tracers copy the file because of this expression, which must stay literal (`npm run check:package`).
  return fileURLToPath(new URL('./fleet/fleet-thread.js', import.meta.url));
}
