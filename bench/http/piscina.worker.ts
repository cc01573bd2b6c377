import { pinThread } from '../harness/pin.ts';
import type { Delegate } from './site.ts';
import { BUSY_CORE, compute, JSON_RESULT, size } from './work.ts';

export interface Task {
  readonly route: keyof Delegate;
  readonly body?: Uint8Array;
}

let isPinned = false;

export default ({ route, body = new Uint8Array() }: Task): unknown => {
  switch (route) {
    case 'json':
      return JSON_RESULT;
    case 'echo':
      return body;
    case 'upload':
      return size(body);
    case 'busy':
      if (!isPinned) isPinned = pinThread(BUSY_CORE);
      return compute();
  }
};
