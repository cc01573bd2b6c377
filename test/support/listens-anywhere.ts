const PRELOAD = `
import { Server } from 'node:http';
const { listen } = Server.prototype;
Server.prototype.listen = function (_port, ...rest) {
  this.once('listening', () => console.log('http://127.0.0.1:' + this.address().port));
  return listen.call(this, 0, ...rest);
};`;

/** Environment of a program whose server then listens on a free port, whatever port it names, and says where. */
export const onAFreePort = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(PRELOAD)}`,
};
