import { inserve } from 'inserve/vite';
import { defineNitroConfig } from 'nitropack/config';

// Nitro keeps inserve outside of the bundle by itself, and copies its files.
export default defineNitroConfig({ rollupConfig: { plugins: [inserve({ external: false })], output: {} } });
