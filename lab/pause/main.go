// Pause holds the namespaces of a pod while its containers come and go, and buries its orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	died := make(chan os.Signal, 16)
	signal.Notify(died, syscall.SIGCHLD)
	for {
		select {
		case <-asked:
			return
		case <-died:
			for {
				if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
					break
				}
			}
		}
	}
}
