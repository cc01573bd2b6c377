export async function register(): Promise<void> {
  // Next calls this once for each runtime.
  if (process.env['NEXT_RUNTIME'] !== 'nodejs') return;
  const { serve } = await import('inserve');
  await serve.deploy({ apps: [{ name: 'search', routePrefix: null, import: './models/models.ts:search' }] });
}
