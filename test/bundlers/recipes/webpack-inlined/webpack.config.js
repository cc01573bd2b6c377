// Inserve is part of the bundle, and its worker is not: the app must say so when it starts.
module.exports = {
  mode: 'none',
  target: 'node22',
  entry: { models: './src/models.js', server: { import: './src/server.js', dependOn: 'models' } },
};
