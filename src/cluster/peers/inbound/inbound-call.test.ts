import { describe, expect, test, vi } from 'vitest';
import { Harness } from '../../../../test/support/routing/route-harness.ts';
import { ServeError, type ServeErrorCode } from '../../../errors.ts';
import { packError } from '../../../values/pack.ts';
import { InboundPeerCall } from './inbound-call.ts';

describe('a call of a peer', () => {
  const codes: readonly (readonly [ServeErrorCode, string])[] = [
    ['SERVE_TIMEOUT', 'timeout'],
    ['SERVE_CANCELLED', 'cancelled'],
    ['SERVE_REPLICA_DIED', 'died'],
    ['SERVE_BACKPRESSURE', 'rejected'],
    ['SERVE_UNKNOWN_METHOD', 'error'],
  ];
  test.each(codes)(
    'that fails by %s has that outcome here, and its error passes as it crossed',
    (code, outcome) => {
      const harness = new Harness();
      const replica = harness.start();
      const settled = vi.spyOn(harness.route, 'settled');
      const error = vi.fn();
      const answers = { begun() {}, takenBack() {}, error, result() {}, open() {}, chunk() {}, end() {} };
      const call = new InboundPeerCall(harness.route, 'call', 0, {
        ...answers,
        credit() {},
        lost() {},
        givenBack() {},
      });
      harness.route.begin(call, 0);
      harness.route.dispatch(call);
      const { value, marks } = packError(new ServeError(code, 'a call of the replica failed'));
      replica.answer(call, (one) => one.failed(value, marks));
      expect(settled.mock.calls.map(([, as]) => as)).toEqual([outcome]);
      expect(error.mock.calls).toEqual([[call, value, marks]]);
    },
  );
});
