import type { ServeOptions } from '../../src/index.ts';
import { silent } from './silent.ts';

const { INSERVE_TEST_THREAD_ENTRY: workerEntry } = process.env;

/** Options of an instance in a program that a test starts: the threads of its replicas load the bundle. */
export const bundled: ServeOptions = { ...(workerEntry !== undefined && { workerEntry }) };

/** The same without a log, which would litter the output of the tests. */
export const quiet: ServeOptions = { ...bundled, logger: silent };
