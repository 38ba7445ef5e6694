import type { Profile } from './profile.ts'

/** Without an auth type in its settings it refuses to run headless as soon as a base URL is given. */
export const gemini: Profile = {
  title: 'Gemini CLI',
  licence: 'Apache-2.0',
  program: {
    kind: 'node',
    package: '@google/gemini-cli',
    entry: 'bundle/gemini.js',
    command: 'gemini',
    install: 'npm install --global @google/gemini-cli',
  },
  provedVersion: '0.61.0',
  proof: 'real program',
  memoryBytes: 400 * 1024 ** 2,
  wires: [{ wire: 'gemini', base: '{{origin}}', api: 'gemini' }],
  prompt: 'on its input',
  args: ['--model={{model}}', '--approval-mode=yolo', '--output-format=stream-json'],
  env: {
    GOOGLE_GEMINI_BASE_URL: '{{base}}',
    GEMINI_TELEMETRY_ENABLED: 'false',
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    GEMINI_CLI_NO_RELAUNCH: 'true', // Saves a second process.
  },
  tokenVariable: 'GEMINI_API_KEY',
  files: [
    {
      path: '.gemini/settings.json',
      format: 'json',
      content: {
        general: {
          enableAutoUpdate: false,
          enableAutoUpdateNotification: false,
          maxAttempts: 3,
          checkpointing: { enabled: false },
        },
        security: {
          auth: { selectedType: 'gemini-api-key' },
          environmentVariableRedaction: {
            enabled: true,
            blocked: ['GEMINI_API_KEY', 'TREADLE_TOKEN'],
          },
        },
        telemetry: { enabled: false },
        privacy: { usageStatisticsEnabled: false },
        model: { maxSessionTurns: 200, skipNextSpeakerCheck: true },
      },
    },
  ],
  // It ends with the status of the refused call modulo 256.
  exits: {
    41: 'its sign-in is not set up',
    145: 'a call was answered with 401',
    146: 'a call was answered with 402',
    147: 'a call was answered with 403',
    173: 'a call was answered with 429',
    247: 'a call was answered with 503',
  },
  exitTells: true,
  token: 'kept from its commands',
}
