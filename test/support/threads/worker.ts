/** The worker entry that `bundle.ts` bundles: the library's own, for test deployments that import the sources. */
import './index-hook.ts';
import '../../../src/isolation/thread/worker.ts';
