const { inserve } = require('inserve/webpack');

module.exports = {
  mode: 'production',
  target: 'node22',
  entry: { server: './src/server.js' },
  plugins: [inserve()],
};
