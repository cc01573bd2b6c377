import { expect, test } from 'vitest';
import { mixedDeclaration } from '../../../test/support/fleet/fixtures.ts';
import { NO_OVERRIDES } from '../documents.ts';
import type { BeatAnswer } from '../fleet-store.ts';
import type { FleetEffect, StoreAnswer } from '../node/events.ts';
import { FleetNode } from '../node/fleet-node.ts';
import { FLEET_TIMING } from '../node/timing.ts';
import { viewOf } from './view-of.ts';

const BEAT: BeatAnswer = {
  isGone: false,
  members: [],
  memberCount: 1,
  lease: undefined,
  generation: 0,
  overridesTag: '',
  planNumber: 0,
  planToken: 0,
};
const READ: Extract<StoreAnswer, { op: 'read' }> = {
  op: 'read',
  members: [],
  declarations: [],
  overrides: { document: { ...NO_OVERRIDES, generation: 5, rollbacks: { clock: 5 } }, tag: 'a' },
  plan: undefined,
  versions: {},
  unreadable: [],
  newer: [],
  forged: [],
};

/** A node whose store answers when it is told to. */
class Joining {
  readonly node = new FleetNode({
    identity: {
      id: 'a',
      epoch: 1,
      address: 'a:7411',
      certificate: '',
      protocols: [1],
      resources: {},
      gpus: 0,
      zone: '',
    },
    declaration: mixedDeclaration(),
    declarationHash: 'hash',
    timing: FLEET_TIMING,
  });
  #now = 0;
  #calls: Extract<FleetEffect, { type: 'store' }>[] = [];

  tick(): void {
    this.#take(this.node.handle({ type: 'tick' }, ++this.#now));
  }

  answer(answer: StoreAnswer): void {
    const found = this.#calls.findIndex(({ request }) => request.op === answer.op);
    const [asked] = this.#calls.splice(found, 1);
    if (found < 0 || asked === undefined) throw new Error(`nobody asked for ${answer.op}`);
    this.#take(this.node.handle({ type: 'stored', call: asked.call, answer }, ++this.#now));
  }

  #take(effects: readonly FleetEffect[]): void {
    this.#calls.push(...effects.filter((effect) => effect.type === 'store'));
  }
}

test('orders are unknown until the store has told them, or that it has none', () => {
  const joining = new Joining();
  const isKnown = (): boolean => viewOf(joining.node).areOrdersKnown;
  joining.tick();
  expect(isKnown()).toBe(false);
  joining.answer({ op: 'join', versions: {} });
  expect([viewOf(joining.node).isStoreUp, isKnown()]).toEqual([true, false]);
  joining.tick();
  joining.answer({ op: 'beat', answer: { ...BEAT, generation: 5, overridesTag: 'a' } });
  expect(isKnown()).toBe(false);
  joining.answer(READ);
  expect([isKnown(), viewOf(joining.node).orders.rollbacks]).toEqual([true, { clock: 5 }]);

  const first = new Joining();
  first.tick();
  first.answer({ op: 'join', versions: {} });
  first.tick();
  first.answer({ op: 'beat', answer: BEAT });
  expect(viewOf(first.node).areOrdersKnown).toBe(true);
});
