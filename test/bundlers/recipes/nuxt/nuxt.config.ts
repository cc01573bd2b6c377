import { inserve } from 'inserve/vite';

export default defineNuxtConfig({
  compatibilityDate: '2026-01-01',
  // Nitro keeps inserve outside of the bundle by itself, and copies its files.
  nitro: { rollupConfig: { plugins: [inserve({ external: false })], output: {} } },
});
