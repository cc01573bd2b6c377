let last = 0;

/**
 * Memory that the process holds, in bytes. Linux tells it in a file: while the process may open no more files (EMFILE), the
 * last value counts.
 */
export function residentMemory(): number {
  try {
    last = process.memoryUsage.rss();
  } catch {
    // The last value is nearer to the truth than none.
  }
  return last;
}
