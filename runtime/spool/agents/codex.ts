import type { Profile, Task } from './profile.ts'
import { withPromptAsInput } from './shell.ts'

/** The launcher in its package; it starts the native program of this machine's kind. */
export const codexEntry = 'node_modules/@openai/codex/bin/codex.js'

/** codex, on the Responses wire. */
export const codex = ({ loop, programs: { node, app } }: Task): Profile => ({
  argv: withPromptAsInput(
    node,
    `${app}/${codexEntry}`,
    'exec',
    '--strict-config',
    '--skip-git-repo-check',
    '--ephemeral',
    '-',
  ),
  env: {},
  files: [{ path: '.codex/config.toml', content: toConfig(loop.model) }],
})

// The sandbox is ours, so its own is off; so is whatever calls home. `allow_login_shell`: a login shell resets PATH.
// `exclude`: commands that it runs don't need the token. A JSON string is a TOML string as well.
const toConfig = (model: string) => `model = ${JSON.stringify(model)}
model_provider = "treadle"
approval_policy = "never"
sandbox_mode = "danger-full-access"
web_search = "disabled"
check_for_update_on_startup = false
allow_login_shell = false

[analytics]
enabled = false

[feedback]
enabled = false

[history]
persistence = "none"

[features]
plugins = false
apps = false
goals = false
shell_snapshot = false
unbounded_connection_retries = false

[shell_environment_policy]
exclude = ["TREADLE_TOKEN"]

[agents]
enabled = false

[model_providers.treadle]
name = "Treadle"
base_url = "{{origin}}/v1"
wire_api = "responses"
env_key = "TREADLE_TOKEN"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 2
stream_max_retries = 2
stream_idle_timeout_ms = 300000`
