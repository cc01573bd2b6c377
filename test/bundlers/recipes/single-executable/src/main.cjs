// The program in the executable may only require built-in modules; it loads the app from the folder beside it.
const { createRequire } = require('node:module');

createRequire(process.execPath)('./app/server.js');
