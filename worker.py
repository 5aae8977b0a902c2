"""Run one worker: `python worker.py`. Start as many as there is work for, on as many machines as there are; docs/deploy.md says how."""

from outreach.cli.worker import main

if __name__ == "__main__":
    main()
