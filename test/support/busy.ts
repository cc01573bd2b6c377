/** Keeps the event loop busy, a slice at a time, until told otherwise. */
export function busy(sliceMs: number): () => void {
  let stop = false;
  const slice = (): void => {
    const end = performance.now() + sliceMs;
    while (performance.now() < end);
    if (!stop) setImmediate(slice);
  };
  slice();
  return () => {
    stop = true;
  };
}
