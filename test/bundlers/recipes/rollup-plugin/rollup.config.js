import { inserve } from 'inserve/vite';

export default {
  input: 'src/server.js',
  external: /^node:/,
  output: { dir: 'dist', format: 'esm' },
  plugins: [inserve()],
};
