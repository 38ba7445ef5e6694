import './styles/tokens.css'
import './styles/base.css'
import { mount } from 'svelte'
import App from './app.svelte'
import { clock } from './state/clock.svelte.ts'
import { live } from './state/live.svelte.ts'
import { router } from './state/router.svelte.ts'
import { theme } from './state/theme.svelte.ts'

theme.start()
router.start()
clock.start()
live.start(new AbortController().signal) // As long as the page lives.
mount(App, { target: document.getElementById('console')! })
