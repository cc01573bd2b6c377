import { describe, expect, test } from 'vitest';
import { EnteringCall } from '../../../test/support/routing/entering-call.ts';
import { CALM, type LagState, nextLag, type SheddingLevel } from '../../controller/lag-level.ts';
import { ADMISSION, AdmissionControl, SHED_NOTHING } from '../queue/admission-control.ts';
import { TenantQuotas } from '../queue/tenants.ts';

const THRESHOLDS = { shedSheddableMs: 100, shedAllMs: 500 };

function levels(lags: number[]): SheddingLevel[] {
  let state: LagState = CALM;
  return lags.map((lag) => {
    state = nextLag(state, lag, THRESHOLDS);
    return state.level;
  });
}

describe('host lag', () => {
  test('one long pause is no overload, two windows in a row are', () => {
    expect(levels([600, 0, 600, 50, 101])).toEqual(Array(5).fill('nothing'));
    expect(levels([101, 150])).toEqual(['nothing', 'sheddable']);
    expect(levels([101, 501, 501, 501])).toEqual(['nothing', 'everything', 'everything', 'everything']);
  });

  test('goes down a level at a time, once the lag is half of what raised it for four windows', () => {
    expect(levels([600, 600, 240, 240, 240, 240])).toEqual([
      'nothing',
      ...Array(4).fill('everything'),
      'sheddable',
    ]);
    // Between half and the whole nothing changes: no flapping.
    expect(levels([110, 110, ...Array(20).fill(80)]).slice(1)).toEqual(Array(21).fill('sheddable'));
    expect(levels([110, 110, 40, 40, 40, 80, 40, 40, 40, 40]).slice(-2)).toEqual(['sheddable', 'nothing']);
  });
});

describe('entry gate', () => {
  const call = (rank: number, tenant = '') => new EnteringCall(rank, tenant);

  test('sheds from a priority on', () => {
    const gate = new AdmissionControl();
    expect(gate.isOpen).toBe(true);
    gate.shed(2);
    expect(gate.isOpen).toBe(false);
    expect([0, 1, 2, 3].map((rank) => gate.enter(call(rank)))).toEqual([
      undefined,
      undefined,
      'host_overload',
      'host_overload',
    ]);
    gate.shed(SHED_NOTHING);
    expect(gate.isOpen).toBe(true);
  });

  test('a tenant has so many calls in flight, and gets each back once', () => {
    const gate = new AdmissionControl({ default: { maxInFlight: 2 }, byName: { big: { maxInFlight: 3 } } });
    const enter = (tenant: string) => {
      const one = call(1, tenant);
      return { one, reason: gate.enter(one) };
    };
    const [a, b, c] = [enter('t'), enter('t'), enter('t')];
    expect([a.reason, b.reason, c.reason]).toEqual([undefined, undefined, 'tenant_quota']);
    expect([a.one.entry, c.one.entry]).toEqual([ADMISSION.charged, ADMISSION.outside]);
    expect([1, 2, 3, 4].map(() => enter('big').reason)).toEqual([
      undefined,
      undefined,
      undefined,
      'tenant_quota',
    ]);
    expect(enter('').reason).toBeUndefined();
    gate.leave(a.one);
    expect(enter('t').reason).toBeUndefined();
    expect(enter('t').reason).toBe('tenant_quota');
  });

  test('a tenant makes so many calls per second, one second of them at once', () => {
    const quotas = new TenantQuotas({ default: { maxPerSecond: 10 } });
    const enter = (at: number): boolean => {
      const isIn = quotas.enter('t', at);
      if (isIn) quotas.leave('t');
      return isIn;
    };
    expect(Array.from({ length: 12 }, () => enter(0)).filter(Boolean)).toHaveLength(10);
    expect([enter(99), enter(101), enter(102)]).toEqual([false, true, false]);
    expect(Array.from({ length: 20 }, () => enter(60_000)).filter(Boolean)).toHaveLength(10);
  });

  test('tenants without number are forgotten, their charges are not', () => {
    const quotas = new TenantQuotas({ default: { maxInFlight: 1 } });
    expect(quotas.enter('keeper', 0)).toBe(true);
    for (let tenant = 0; tenant < 5_000; tenant++) {
      expect(quotas.enter(`t${tenant}`, tenant)).toBe(true);
      quotas.leave(`t${tenant}`);
    }
    expect(quotas.enter('keeper', 6_000)).toBe(false);
  });
});
