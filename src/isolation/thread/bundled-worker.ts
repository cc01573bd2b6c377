/**
 * The worker entry that the build bundles into `dist/thread/`, with an `index.js` beside it that omits the host's half of
 * the package. Modules cost a thread about 40 KiB each beyond their code, and `node:http` alone, through undici,
 * 5 MiB (docs/performance.md).
 */
import './host-free-index-hook.ts';
import './worker.ts';
