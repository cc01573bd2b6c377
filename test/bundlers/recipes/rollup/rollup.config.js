export default {
  input: ['src/server.js', 'src/models.js'],
  external: [/^node:/, /^inserve(\/|$)/],
  output: { dir: 'dist', format: 'esm' },
};
