import { pythonDeployment } from 'inserve';
import type { Xor, XorArguments } from './model.py.d.ts';

export const XorDeployment = pythonDeployment<Xor, XorArguments>('./model.py:Xor', {
  maxOngoingRequests: 2,
});

export const xor = XorDeployment.bind();
