import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../../deployment/options/isolations.ts';
import type { Reachable } from '../../../handle/routing/endpoint-registry.ts';
import type { InlineLink } from '../../../handle/routing/link.ts';
import type { InlineChannel } from '../../../isolation/inline/inline-channel.ts';
import type { InlineReplicas } from '../../../isolation/inline/inline-replicas.ts';
import { within, withTimeout } from '../../../time/timeout.ts';
import { pack } from '../../../values/pack.ts';
import { randomId } from '../../ids.ts';

/** One version of an inline deployment: the host's own replica, and the definition from which other threads create theirs. */
export class InlineVersion implements Reachable {
  readonly descriptor: InlineLink;
  readonly channel: InlineChannel;
  readonly #spec: HostedDeployment;

  private constructor(spec: HostedDeployment, descriptor: InlineLink, channel: InlineChannel) {
    this.#spec = spec;
    this.descriptor = descriptor;
    this.channel = channel;
  }

  /** Creates the host's replica. Rejects with an error of its constructor, `reconfigure` or `checkHealth`, or a timeout. */
  static async make(
    app: string,
    spec: HostedDeployment,
    instanceId: string,
    inlineReplicas: InlineReplicas,
  ): Promise<InlineVersion> {
    const { name, version, options, source } = spec;
    const descriptor: InlineLink = {
      kind: 'inline',
      replicaId: `${name}#${randomId(6)}`,
      instanceId,
      version,
      app,
      deployment: name,
      module: source.module,
      exportName: source.exportName,
      args: source.args,
      userConfig: options.userConfig === undefined ? undefined : pack(options.userConfig, 'userConfig'),
      maxOngoingRequests: options.maxOngoingRequests,
      isByReference: ISOLATIONS[options.isolation].isByReference,
    };
    const { startTimeoutMs } = options;
    const overdue = () => new Error(`the replica did not start within ${startTimeoutMs} ms`);
    const made = inlineReplicas.make(descriptor);
    try {
      return new InlineVersion(spec, descriptor, await withTimeout(made, startTimeoutMs, overdue));
    } catch (error) {
      inlineReplicas.forget(descriptor.replicaId);
      // The replica may still start after it is no longer wanted.
      made.then(
        (channel) => channel.close(),
        () => {},
      );
      throw error;
    }
  }

  get replicaId(): string {
    return this.descriptor.replicaId;
  }

  link(): InlineLink {
    return this.descriptor;
  }

  /** Whether the version matches a spec. The remaining parts of a spec concern the callers. */
  is({ fingerprint, options }: HostedDeployment): boolean {
    const own = this.#spec;
    return (
      own.fingerprint === fingerprint &&
      own.options.maxOngoingRequests === options.maxOngoingRequests &&
      JSON.stringify(own.options.userConfig) === JSON.stringify(options.userConfig)
    );
  }

  /**
   * Ends the version after its callers' calls: these were accepted, so they may take until their deadlines.
   *
   * @param replaced resolves when no thread has calls to the version any more
   */
  async close(replaced: Promise<void>): Promise<void> {
    const { gracefulShutdownTimeoutMs, requestTimeoutMs } = this.#spec.options;
    // If the host never called the replica, no caller closes it.
    const over = replaced.then(() => this.channel.close()).then(() => this.channel.ended);
    await within(Math.max(gracefulShutdownTimeoutMs, requestTimeoutMs), over);
    this.channel.close();
  }
}
