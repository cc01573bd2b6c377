import { validation } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

validation(mountExpress);
