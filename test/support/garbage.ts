import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from './until.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage, and lets finalizers run. */
export async function collectGarbage(): Promise<void> {
  // What a reference was asked for stays until the turn is over.
  await new Promise((resolve) => setTimeout(resolve, 1));
  collect();
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Resolves once the object is gone. */
export async function collected(ref: WeakRef<object>): Promise<void> {
  await eventually(async () => {
    await collectGarbage();
    return ref.deref() === undefined;
  });
}
