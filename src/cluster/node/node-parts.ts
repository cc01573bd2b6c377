import type { Declaration, MemberRecord } from '../documents.ts';
import { Alarms } from './alarms.ts';
import { Commands } from './commands.ts';
import { Control, isPlanUnknown } from './control/control.ts';
import { Declarations, versionKey } from './declaration.ts';
import { Demands } from './demands.ts';
import type { FleetEffect } from './events.ts';
import { Follower } from './follower.ts';
import { Links } from './links.ts';
import { type InstanceIdentity, LocalInstance } from './local-instance.ts';
import { Membership } from './membership.ts';
import { Reporter } from './reports.ts';
import { storeAlarm } from './store-alarms.ts';
import { type StoreListener, StoreSync } from './store-sync.ts';
import type { FleetTiming } from './timing.ts';

export interface FleetNodeOptions {
  readonly identity: InstanceIdentity;
  readonly declaration: Declaration;
  readonly declarationHash: string;
  readonly timing: FleetTiming;
  /** A timestamp like `Date.now()`, written into overrides for people to read. */
  readonly timestamp?: () => number;
}

/** The parts of a node. */
export interface NodeParts {
  readonly self: LocalInstance;
  readonly membership: Membership;
  readonly declarations: Declarations;
  readonly follower: Follower;
  readonly alarms: Alarms;
  readonly reporter: Reporter;
  readonly sync: StoreSync;
  readonly links: Links;
  readonly control: Control;
  readonly demands: Demands;
  readonly commands: Commands;
}

/** Puts the parts of a node together. @param onRead handles documents that were read */
export function assemble(
  options: FleetNodeOptions,
  emit: (effect: FleetEffect) => void,
  { read }: Pick<StoreListener, 'read'>,
): NodeParts {
  const { timing, timestamp = () => 0 } = options;
  const self = new LocalInstance(options.identity, options.declarationHash, options.declaration);
  const alarms = new Alarms(timing.alarmMs, (cause, message) => emit({ type: 'fault', cause, message }));
  const membership = new Membership(self.id, timing);
  const declarations = new Declarations();
  declarations.add(options.declarationHash, options.declaration);
  const follower = new Follower();
  const listener: StoreListener = {
    joining() {
      const { record, declaration, version } = self;
      return { op: 'join', record, declaration, version, versions: sync.versions };
    },
    renewing: () => control.renewing(),
    beaten(answer, renewed, slice, sentAt, now) {
      const unread = membership.observe(answer, slice, now);
      if (answer.isGone) self.renew();
      control.onBeat(answer, renewed, sentAt, now);
      return {
        members: unread,
        declarations: missingDeclarations({ membership, declarations }),
        versions: [...membership.all()].some(({ record }) => isUnknown(record, sync.versions)),
      };
    },
    isPlanUnknown: (answer) => isPlanUnknown(answer, follower),
    read,
    failed: ({ failure, detail = '' }, op, now) =>
      alarms.raise(`store ${failure}`, storeAlarm(failure, op, detail), now),
  };
  const sync = new StoreSync(timing, listener, (call, request) => emit({ type: 'store', call, request }));
  const links = new Links(self, membership, timing, emit);
  const shared = { self, membership, declarations, follower, links, timing };
  const control = new Control({ ...shared, sync, alarms, emit });
  const demands = new Demands({ ...shared, control });
  const commands = new Commands(
    timing,
    sync,
    () => ({ by: self.id, at: timestamp(), ...control.orderContext }),
    (command, failure) => emit({ type: 'commandDone', command, failure }),
  );
  const reporter = new Reporter(timing);
  return { ...shared, alarms, reporter, sync, control, demands, commands };
}

/** Whether the time at which a member's code was first seen is unknown. */
function isUnknown(record: MemberRecord | undefined, versions: Readonly<Record<string, number>>): boolean {
  return record !== undefined && versions[versionKey(record.codeVersion, record.declaration)] === undefined;
}

/** Hashes of the declarations of live members that have not been read. */
export function missingDeclarations({
  membership,
  declarations,
}: Pick<NodeParts, 'membership' | 'declarations'>): string[] {
  const hashes = [...membership.all()].flatMap(({ record }) =>
    record === undefined ? [] : [record.declaration],
  );
  return [...new Set(hashes)].filter((hash) => !declarations.has(hash));
}
