import type { ResourceLimits } from '../../../deployment/options/deployment-options.ts';
import { withoutSecrets } from '../child-environment.ts';

/** Variable that tells the worker entry that it runs in a child process. The child removes it. */
export const CHILD_MARK = 'INSERVE_CHILD';

/** Flags of the host that are for the host alone: a debugger's port, a test runner, a watcher. */
const HOST_ONLY = /^--(?:inspect|watch|test|debug-port|cpu-prof|heap-prof)/;

/** Flags of Node for a child: those of this thread, and the limits of its heap in MiB. */
export function childFlags(execArgv: readonly string[], limits: ResourceLimits): string[] {
  const flags = execArgv.filter((flag, index) => {
    if (HOST_ONLY.test(flag)) return false;
    // The value of such a flag may stand behind it.
    const before = execArgv[index - 1] ?? '';
    return flag.startsWith('-') || before.includes('=') || !HOST_ONLY.test(before);
  });
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb } = limits;
  if (maxOldGenerationSizeMb !== undefined)
    flags.push(`--max-old-space-size=${Math.ceil(maxOldGenerationSizeMb)}`);
  if (maxYoungGenerationSizeMb !== undefined)
    flags.push(`--max-semi-space-size=${Math.ceil(maxYoungGenerationSizeMb / SEMI_SPACES)}`);
  if (stackSizeMb !== undefined) flags.push(`--stack-size=${Math.floor(stackSizeMb * KIB_PER_MIB)}`);
  return flags;
}

/** The young generation has three semi-spaces. */
const SEMI_SPACES = 3;
const KIB_PER_MIB = 1_024;

/** Variables by which Node finds the channel to the process that forked it. The channel is the host's own. */
const CHANNEL = ['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_UNIQUE_ID'];

/** The environment of a child: that of its replica's thread. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own: NodeJS.ProcessEnv = { ...withoutSecrets(env), [CHILD_MARK]: '1' };
  for (const name of CHANNEL) delete own[name];
  return own;
}
