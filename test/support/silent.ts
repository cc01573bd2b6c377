import type { Logger } from '../../src/index.ts';

/** A logger that keeps and prints nothing, for failures that a test causes on purpose. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
