// Agents that mean harm, as shell scripts. `marker` is a file on the machine that planted code makes, wherever it runs
// outside of a sandbox. All begin in a repository's work tree.

/** Settings, hooks and filters of a repository, each of which names a program. */
export const plantPrograms = (marker: string) => `
  printf '#!/bin/sh\\ntouch ${marker}\\n' > planted.sh; chmod +x planted.sh
  mkdir -p .git/hooks
  for hook in post-commit pre-commit post-checkout post-index-change reference-transaction pre-push update
  do cp planted.sh .git/hooks/$hook; done
  git config core.hooksPath "$PWD/.git/hooks"
  git config core.fsmonitor "$PWD/planted.sh"
  git config core.sshCommand "$PWD/planted.sh"
  git config core.pager "$PWD/planted.sh"
  git config uploadpack.packObjectsHook "$PWD/planted.sh"
  git config commit.gpgSign true; git config gpg.program "$PWD/planted.sh"
  git config filter.planted.clean 'touch ${marker}; cat'
  git config filter.planted.smudge 'touch ${marker}; cat'
  git config diff.planted.textconv "$PWD/planted.sh"
  git config merge.planted.driver "$PWD/planted.sh"
  printf '* filter=planted diff=planted merge=planted\\n' > .gitattributes
  date +%N > made.txt`

/** A repository in the repository, called a submodule whose update is a program. */
export const plantSubmodule = (marker: string) => `
  git init --quiet nested; printf inner > nested/inner.txt
  git -C nested -c user.name=x -c user.email=x add inner.txt
  git -C nested -c user.name=x -c user.email=x commit --quiet -m inner
  printf '[submodule "nested"]\\n\\tpath = nested\\n\\turl = ./nested\\n' > .gitmodules
  git add .gitmodules nested 2>/dev/null
  git config submodule.nested.url "$PWD/nested"
  git config submodule.nested.update '!touch ${marker} #'
  mkdir -p nested/.git/hooks; printf '#!/bin/sh\\ntouch ${marker}\\n' > nested/.git/hooks/post-checkout
  chmod +x nested/.git/hooks/post-checkout
  git -C nested config core.fsmonitor 'touch ${marker} #'
  date +%N > made.txt`

/** Refs whose names are options, ways out and shell lines to whoever is careless. */
export const plantRefs = (marker: string) => `
  at=$(git rev-parse HEAD)
  mkdir -p '.git/refs/heads/--upload-pack=touch ${marker.split('/').at(-1)}'
  for name in '--exec=touch' ';touch x' '$(touch x)' '..' '@{-1}' 'a.lock' '-rf'
  do printf '%s\\n' "$at" > ".git/refs/heads/$name" 2>/dev/null; done
  printf '%s refs/heads/../../../owned\\n%s refs/heads/$(touch ${marker})\\n' "$at" "$at" >> .git/packed-refs
  printf 'ref: refs/heads/;touch ${marker}\\n' > .git/HEAD
  date +%N > made.txt`

export const borrowObjects = (objects: string) => `
  mkdir -p .git/objects/info; printf '%s\\n' '${objects}' > .git/objects/info/alternates
  date +%N > made.txt`

export const linkPlan = (target: string) => `
  rm -f PLAN.md; ln -s '${target}' PLAN.md; date +%N > made.txt`

export const leaveProcesses = (marker: string) => `
  for one in 1 2 3; do
    setsid nohup sh -c 'trap "" TERM HUP; while :; do sleep 1; date >> late.txt; done # ${marker}' > /dev/null 2>&1 &
  done
  date +%N > made.txt`

/** All that it may signal: the sandbox's daemon runs as the same user. */
export const killAll = () => 'kill -KILL -1; sleep 60'

/** Takes its daemon's place: a server that answers everything without end. */
export const replaceDaemon = () => `cat > /home/agent/imposter.mjs <<'END'
import { createServer } from 'node:http'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
const isDaemon = (id) => /^.opt.treadle.node[^\\0]*\\0[^\\0]*\\0--socket/.test(readFileSync('/proc/' + id + '/cmdline', 'latin1'))
const daemon = readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).find(isDaemon)
rmSync('/run/treadle/pod.sock')
createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'x-treadle-sha': '0'.repeat(40) })
  const more = () => { while (response.write(Buffer.alloc(65536, 32))); response.once('drain', more) }
  more()
}).listen('/run/treadle/pod.sock', () => process.kill(Number(daemon), 'SIGSTOP'))
END
node /home/agent/imposter.mjs`
