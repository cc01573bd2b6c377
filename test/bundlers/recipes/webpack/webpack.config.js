module.exports = {
  mode: 'production',
  target: 'node22',
  entry: {
    models: './src/models.js',
    // The server loads dist/models.js instead of holding a copy of the module.
    server: { import: './src/server.js', dependOn: 'models' },
  },
  externals: { inserve: 'commonjs inserve' },
};
