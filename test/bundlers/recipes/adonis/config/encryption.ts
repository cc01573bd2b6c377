import { defineConfig, drivers } from '@adonisjs/core/encryption';

const keys = ['a secret of this test, which no app uses'];

export default defineConfig({ default: 'gcm', list: { gcm: drivers.aes256gcm({ id: 'gcm', keys }) } });
