import { expect, test } from 'vitest';
import { Harness } from '../../../../test/support/routing/route-harness.ts';
import { ServedDeployment } from '../served-deployment.ts';
import { InboundPeerCall } from './inbound-call.ts';
import { KeyedPeerCall } from './keyed-call.ts';

/** More bytes than are hashed at once. */
const MANY_BYTES = 5_000_000;

/** A deployment that peers call, and the answers to their calls with keys by their ids. */
class Served {
  readonly harness = new Harness();
  readonly deployment = new ServedDeployment(this.harness.route, new Map(), this.harness.route.config, -1);
  readonly answers = new Map<number, string>();
  readonly #heard = new Map<number, PromiseWithResolvers<string>>();

  call(id: number, key: string, args: readonly unknown[]): KeyedPeerCall {
    const answered = Promise.withResolvers<string>();
    this.#heard.set(id, answered);
    const answer = (how: string): void => {
      if (this.answers.has(id)) throw new Error(`call ${id} was answered twice`);
      this.answers.set(id, how);
      answered.resolve(how);
    };
    const unexpected = (): never => {
      throw new Error('only the execution is sent');
    };
    const model = new InboundPeerCall(this.harness.route, 'call', id, {
      result: unexpected,
      error: unexpected,
      open: unexpected,
      chunk: unexpected,
      end: unexpected,
      credit: unexpected,
      lost: unexpected,
      givenBack: unexpected,
      begun: unexpected,
      takenBack: unexpected,
    });
    model.args = args;
    const call = new KeyedPeerCall(
      model,
      {
        result: () => answer('result'),
        error: () => answer('error'),
        lost: () => answer('lost'),
        givenBack: () => answer('given back'),
        begun() {},
        takenBack() {},
      },
      0,
    );
    this.deployment.keyed.take(call, key);
    return call;
  }

  /** Resolves with the answer to a call. */
  answerTo(id: number): Promise<string> {
    return (this.#heard.get(id) as PromiseWithResolvers<string>).promise;
  }
}

test('a call whose arguments are hashed while the last replica goes is given back', async () => {
  const served = new Served();
  const replica = served.harness.start();
  served.call(1, 'key', [new Uint8Array(MANY_BYTES)]);
  served.harness.kill(replica, 0);
  served.deployment.giveBack();
  expect(served.answers.size).toBe(0);
  expect(await served.answerTo(1)).toBe('given back');
});
