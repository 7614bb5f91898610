// A cache for Argo CD where there is no redis-server: the parts of a redis.conf that the sandbox writes, and no more.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: redis-server FILE | redis-server --version")
	}
	if os.Args[1] == "--version" {
		fmt.Println("miniredis", version())
		return
	}
	settings, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := miniredis.NewMiniRedis()
	server.RequireAuth(settings["requirepass"])
	if err := server.StartAddr(settings["bind"] + ":" + settings["port"]); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	// Its clock stands still unless it is moved, and then nothing would ever expire.
	tick := time.NewTicker(time.Second)
	for {
		select {
		case <-tick.C:
			server.FastForward(time.Second)
		case <-stop:
			server.Close()
			return
		}
	}
}

func read(name string) (map[string]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	settings := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, found := strings.Cut(lines.Text(), " "); found {
			settings[key] = value
		}
	}
	return settings, lines.Err()
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/alicebob/miniredis/v2" {
			return module.Version
		}
	}
	return "unknown"
}
