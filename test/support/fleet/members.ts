import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { FleetOptions, PeerAddress } from '../../../src/cluster/fleet-options.ts';
import type { MemberCommand, MemberSettings } from '../../fixtures/programs/fleet-member.ts';
import { FLEET } from './instances.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/fleet-member.ts', import.meta.url));

export interface MemberOptions extends Partial<Pick<MemberSettings, 'replicas' | 'maxOngoingRequests'>> {
  readonly fleet?: Partial<FleetOptions>;
}

interface Answer {
  readonly type: 'done' | 'failed';
  readonly result?: unknown;
  readonly error?: string;
}

/** An app process that belongs to a fleet. It has one replica with 4 places, unless told otherwise. */
export class Member implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly address: PeerAddress;
  readonly instance: string;

  private constructor(process: ChildProcess, address: PeerAddress, instance: string) {
    this.process = process;
    this.address = address;
    this.instance = instance;
  }

  static async start({
    replicas = 1,
    maxOngoingRequests = 4,
    fleet = {},
  }: MemberOptions = {}): Promise<Member> {
    const settings: MemberSettings = {
      fleet: { ...FLEET, ...fleet },
      fleetEntry: inject('fleetEntry'),
      workerEntry: inject('threadEntry'),
      replicas,
      maxOngoingRequests,
    };
    const child = fork(PROGRAM, { env: { ...process.env, MEMBER: JSON.stringify(settings) }, execArgv: [] });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`a member ended with ${String(code)} before it was ready`);
    });
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [
      { address: PeerAddress; instance: string },
    ];
    ended.catch(() => {});
    return new Member(child, message.address, message.instance);
  }

  /** @param pid */
  get pid(): number {
    return this.process.pid as number;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Resolves with the result of the command. Commands to one member come one after the other. */
  async tell(command: MemberCommand): Promise<unknown> {
    this.process.send(command);
    const [answer] = (await once(this.process, 'message')) as [Answer];
    if (answer.type === 'failed') throw new Error(answer.error);
    return answer.result;
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}
