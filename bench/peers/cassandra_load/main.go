// Rows into a Cassandra as fast as gocql gives them: prepared inserts of one row each, 256 in flight, one goroutine each.
//
//	cassandra_load ADDRESS LINES ROWS WARMUP
//
// LINES holds JSON objects of 11 or more texts; they are read and parsed before the clock starts. Prints a line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/gocql/gocql"
)

const (
	inFlight = 256
	keyspace = "millrace_bench_gocql"
	columns  = "id first_name last_name gender address post_code email username registered_date phone picture"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Seconds of CLOCK_MONOTONIC, as the other programs give.
func now() float64 {
	const clockMonotonic = 1
	var at syscall.Timespec
	if _, _, fault := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&at)), 0); fault != 0 {
		log.Fatal(fault)
	}
	return float64(at.Nano()) * 1e-9
}

func cpu() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func peakMib() int {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if kib, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, _ := strconv.Atoi(strings.Fields(kib)[0])
			return n / 1024
		}
	}
	return 0
}

func read(name string, count int) [][]any {
	file, err := os.Open(name)
	must(err)
	rows := make([][]any, 0, count)
	for lines := bufio.NewScanner(file); len(rows) < count && lines.Scan(); {
		var user map[string]string
		must(json.Unmarshal(lines.Bytes(), &user))
		id, err := gocql.ParseUUID(user["id"])
		must(err)
		row := []any{id}
		for _, name := range strings.Fields(columns)[1:] {
			row = append(row, user[name])
		}
		rows = append(rows, row)
	}
	return rows
}

func connect(address string) *gocql.Session {
	cluster := gocql.NewCluster(address)
	cluster.Consistency = gocql.One
	cluster.Timeout = 30 * time.Second
	session, err := cluster.CreateSession()
	must(err)
	for _, statement := range []string{
		"DROP KEYSPACE IF EXISTS " + keyspace,
		"CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE " + keyspace + ".users (id uuid PRIMARY KEY, " + strings.Join(strings.Fields(columns)[1:], " text, ") + " text)",
	} {
		must(session.Query(statement).Exec())
	}
	return session
}

func insert(session *gocql.Session, rows [][]any) {
	names := strings.Join(strings.Fields(columns), ", ")
	statement := "INSERT INTO " + keyspace + ".users (" + names + ") VALUES (?" + strings.Repeat(", ?", 10) + ")"
	var next atomic.Int64
	var all sync.WaitGroup
	for range inFlight {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := next.Add(1) - 1; i < int64(len(rows)); i = next.Add(1) - 1 {
				must(session.Query(statement, rows[i]...).Exec())
			}
		}()
	}
	all.Wait()
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	warmup, err := strconv.Atoi(os.Args[4])
	must(err)
	rows := read(os.Args[2], count)
	session := connect(os.Args[1])
	insert(session, rows[:min(warmup, len(rows))])
	begin, cpuBegin := now(), cpu()
	insert(session, rows)
	seconds, used := now()-begin, cpu()-cpuBegin
	fmt.Printf(`{"case":"load","records":%d,"begin":%f,"seconds":%f,"cpu_seconds":%f,"peak_mib":%d}`+"\n", len(rows), begin, seconds, used, peakMib())
	must(session.Query("DROP KEYSPACE " + keyspace).Exec())
}
