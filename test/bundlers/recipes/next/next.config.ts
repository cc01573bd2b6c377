import type { NextConfig } from 'next';

const config: NextConfig = {
  output: 'standalone',
  serverExternalPackages: ['inserve'],
  // The replicas import this file as it is, so it must be in the standalone output.
  outputFileTracingIncludes: { '/*': ['./models/**/*'] },
};

export default config;
