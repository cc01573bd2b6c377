import { errors } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

errors(mountExpress);
