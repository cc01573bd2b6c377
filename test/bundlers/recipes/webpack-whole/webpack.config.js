export default {
  mode: 'production',
  target: 'node22',
  entry: {
    models: './src/models.js',
    server: { import: './src/server.js', dependOn: 'models' },
    worker: { import: 'inserve/worker', dependOn: 'models' },
  },
  experiments: { outputModule: true },
  output: { module: true },
  // `import.meta.dirname` is that of the output.
  node: { __dirname: false },
};
