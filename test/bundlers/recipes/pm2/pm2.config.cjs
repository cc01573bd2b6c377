module.exports = {
  apps: [
    {
      name: 'search',
      script: 'src/server.ts',
      // In mode `fork` one process has all replicas; in mode `cluster` each process has replicas of its own.
      exec_mode: 'cluster',
      instances: 2,
      // PM2 sends SIGINT, and SIGKILL after 1.6 s: leave the replicas time to end their calls.
      kill_timeout: 25_000,
      interpreter: 'node',
    },
  ],
};
