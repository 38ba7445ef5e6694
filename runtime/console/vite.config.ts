import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// Auth serves what is built here: index.html for every page, and `/console/assets/*` by content hash, for ever.
export default defineConfig({
  base: '/console/',
  plugins: [svelte({ compilerOptions: { runes: true } })],
  build: {
    target: 'es2024',
    modulePreload: { polyfill: false },
    // Inlined assets would need a wider content security policy than `'self'`.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
})
