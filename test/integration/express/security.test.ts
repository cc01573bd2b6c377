import { security } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

security(mountExpress);
